"""`dicomtls peers`: the group of the commands about the peers of the configuration, and those that are remembered."""

from dicomtls.cli.command import Entry, LazyGroup

peers = LazyGroup(
    "peers",
    {
        "list": Entry("dicomtls.cli.peers_list", "show the peers of the configuration, and those that are remembered"),
        "add": Entry("dicomtls.cli.peers_add", "write a peer into the configuration"),
        "check": Entry("dicomtls.cli.peers_check", "probe the peers of the configuration"),
        "forget": Entry("dicomtls.cli.peers_forget", "forget the pin of a peer that was trusted on first use"),
    },
    summary="Peers by name: those of the configuration, and those that are remembered.",
    examples=(
        "dicomtls peers add pacs PACS@pacs.example --set ca=hospital-ca.pem",
        "dicomtls peers check",
        "dicomtls peers forget pacs.example:2762",
    ),
)
