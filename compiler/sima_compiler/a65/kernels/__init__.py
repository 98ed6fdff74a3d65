"""The C of all host kernels, as headers that every segment's library is built from."""
