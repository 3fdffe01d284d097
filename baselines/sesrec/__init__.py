"""SESRec (Si et al. 2023): recommendation that reads what the user searched for, too."""
