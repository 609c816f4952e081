"""Tests of the project itself: architecture, packaging, documents, workflows."""
