"""What tests of races and faults are made of: real threads, real sockets, real databases."""
