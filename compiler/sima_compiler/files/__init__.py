"""Files and folders that are whole or not there, and that nothing outlives: the only room that writes to disk."""
