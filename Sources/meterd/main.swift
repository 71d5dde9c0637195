print("meterd")
