"""gRPC and protobuf live here, and nowhere else: servicers, the gate, errors as statuses, and the client's parts."""
