"""What one block of a layer reads, holds and runs: the first of the four rooms, on which the others build."""
