"""What is looked at to say whether all is well, wherever it is looked from."""
