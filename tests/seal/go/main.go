// The judge from outside: transparency-dev's own Go code over a log that the sealer has written.
//
//	go run . FOLDER VKEY [WITNESS-VKEY]
//
// FOLDER is a log as tlog-tiles has it, with entry bundles, and with *.tlog-proof files. Exit 0 if
// fsck accepts every tile, entry and the checkpoint, if every proof proves its extra data, and if
// the witness, where one is named, has cosigned.
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

const patience = 30 * time.Second

func leaves(bundle []byte) ([][]byte, error) {
	parsed := &api.EntryBundle{}
	if err := parsed.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(parsed.Entries))
	for _, entry := range parsed.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

func checkProof(path string, key note.Verifier) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, checkpoint, found := strings.Cut(string(raw), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("no tlog-proof")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	var index uint64
	if _, err := fmt.Sscanf(lines[2], "index %d", &index); err != nil {
		return err
	}
	var hashes [][]byte
	for _, line := range lines[3:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return err
		}
		hashes = append(hashes, hash)
	}
	said, _, _, err := log.ParseCheckpoint([]byte(checkpoint), key.Name(), key)
	if err != nil {
		return err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(entry)
	return proof.VerifyInclusion(rfc6962.DefaultHasher, index, said.Size, leaf, hashes, said.Hash)
}

func run(folder, vkey, witness string) error {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	source := &client.FileFetcher{Root: folder}
	check := fsck.New(key.Name(), key, source, leaves, fsck.Opts{N: 1})
	// Having met a tile that differs, fsck v1.0.4 waits for ever for its own workers.
	verdict := make(chan error, 1)
	go func() { verdict <- check.Check(context.Background()) }()
	select {
	case err := <-verdict:
		if err != nil {
			return err
		}
	case <-time.After(patience):
		return fmt.Errorf("fsck has not ended after %s", patience)
	}
	proofs, _ := filepath.Glob(filepath.Join(folder, "*.tlog-proof"))
	for _, path := range proofs {
		if err := checkProof(path, key); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if witness != "" {
		friend, err := f_note.NewVerifierForCosignatureV1(witness)
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
		if err != nil {
			return err
		}
		if _, err := note.Open(raw, note.VerifierList(friend)); err != nil {
			return err
		}
	}
	fmt.Println("accepted,", len(proofs), "proofs")
	return nil
}

func main() {
	arguments := append(os.Args[1:], "")
	if err := run(arguments[0], arguments[1], arguments[2]); err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}
