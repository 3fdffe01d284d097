"""SASRec (Kang and McAuley 2018): RecBole's module, trained on whole sequences."""
