"""The benchmark's view of the shop from inside: what is sold, to whom, and what the database says
afterwards. The load itself comes over HTTP only."""
