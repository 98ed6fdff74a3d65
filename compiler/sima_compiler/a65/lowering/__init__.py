"""How each host operator is written in C: which kernels, with which tables, called how."""
