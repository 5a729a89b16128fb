print("hawt-echo")
