"""Format ``atomic``: RecBole's files, whose headers name fields as ``name:type``."""
