// Active prints whether it was built with the overlay.
package main

import (
	"fmt"

	"quiesce/sim/overlay"
)

func main() { fmt.Println(overlay.Active()) }
