"""What the tests share: a PKI, real peers, the command line as a process, instances to send."""
