"""The records of every level, from the quantized network to the commands of the machine, and their verifiers."""
