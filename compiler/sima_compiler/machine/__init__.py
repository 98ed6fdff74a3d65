"""What a machine is: its description as data, what commands cost on it, and when things happen."""
