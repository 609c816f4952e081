"""The spec says what the vendor's page says, and marks whatever else it says."""
