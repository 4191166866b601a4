// Command bounded-runc is runc for a machine whose capabilities are bounded: of the capabilities that a container
// asks for, it passes on those that are in this process's bounding set. runc itself refuses to start a container, or
// a process in one, if a single one is missing, and a privileged container asks for all.
//
// The engine calls it as it calls runc. Before `create --bundle DIR` it edits DIR/config.json, before
// `exec --process FILE` the FILE; then it becomes runc.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Names by number, from linux/capability.h.
var names = strings.Fields(`
	CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
	NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
	SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
	MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bounded-runc:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	for index, argument := range arguments {
		name, value, joined := strings.Cut(argument, "=")
		if !joined && index+1 < len(arguments) {
			value = arguments[index+1]
		}
		var err error
		switch name {
		case "--bundle", "-b":
			err = edit(filepath.Join(value, "config.json"), func(config map[string]any) any { return config["process"] })
		case "--process", "-p":
			err = edit(value, func(process map[string]any) any { return process })
		}
		if err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, arguments...), os.Environ())
}

// edit removes from a file's process the capabilities that can't be had. A file that does not exist is runc's to
// complain of.
func edit(path string, process func(map[string]any) any) error {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber() // some limits exceed a float's integers
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	found, _ := process(document).(map[string]any)
	sets, _ := found["capabilities"].(map[string]any)
	if sets == nil {
		return nil
	}
	bound, err := bounding()
	if err != nil {
		return err
	}
	for name, set := range sets {
		list, _ := set.([]any)
		kept := []any{}
		for _, capability := range list {
			if text, _ := capability.(string); bound[text] {
				kept = append(kept, capability)
			}
		}
		sets[name] = kept
	}
	text, err = json.Marshal(document)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600) // in place: the mode stays
}

func bounding() (map[string]bool, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		digits, found := strings.CutPrefix(line, "CapBnd:")
		if !found {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 64)
		if err != nil {
			return nil, err
		}
		bound := map[string]bool{}
		for number, name := range names {
			bound["CAP_"+name] = bits>>number&1 == 1
		}
		return bound, nil
	}
	return nil, fmt.Errorf("/proc/self/status has no CapBnd")
}
