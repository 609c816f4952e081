"""The vendor's own OpenAPI document beside ours: what differs, agrees, and is answered.

`operation_tree` reads what a document says about our operation, `comparison` holds two such trees
side by side; both are pure. ``python -m contract_tests.spec_diff`` reads and prints.
"""
