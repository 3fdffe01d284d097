"""Who carries out pieces of work, one or several at a time, here or on other machines."""
