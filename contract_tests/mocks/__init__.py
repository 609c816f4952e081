"""The guard of the mocks: whatever respx answers in a test is held against the contract."""
