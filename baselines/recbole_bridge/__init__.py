"""RecBole's sequential models behind the harness's interface. Importing this imports no RecBole."""
