// Apache RocketMQ's Go client under the contract of all clients here: see tests/benchmark/README.md.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

var input = bufio.NewReader(os.Stdin)

type options map[string]string

func main() {
	given := options{}
	for i := 2; i+1 < len(os.Args); i += 2 {
		given[strings.TrimPrefix(os.Args[i], "--")] = os.Args[i+1]
	}
	modes := map[string]func(options) error{
		"produce": produce, "drain": drain, "consume": consume, "end-to-end": sendAndConsume,
	}
	if err := modes[os.Args[1]](given); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (given options) number(name string, otherwise int) int {
	if number, err := strconv.Atoi(given[name]); err == nil {
		return number
	}
	return otherwise
}

func sayAndWait(word string) {
	fmt.Println(word)
	_, _ = input.ReadString('\n')
}
