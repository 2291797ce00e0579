// An etcd newer than Debian's, for the tests of the fleet's store: the very server, from its Go module.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
