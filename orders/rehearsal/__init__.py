"""Rehearsal of a flash sale: a crowd of made-up shoppers plays it against a running server.

`clients` buys over HTTP and knows nothing but the contract; `journal` is what those clients wrote
down; `inside` makes the shoppers and reads what the database says; `figures`, `verdict` and
`charts` turn both into numbers, a judgement and pictures, and are pure; `run` is the order of it
all. What a rehearsal buys are real units, in orders like any other.
"""
