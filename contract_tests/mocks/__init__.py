"""The guard of the mocks: each answer of respx in a test is compared with the contract."""
