"""Files and folders that are whole or absent, locks, the ledger of finished work."""
