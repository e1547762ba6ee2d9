// Verifies an exported log with the Go project's own implementation of signed notes and transparency logs
// (golang.org/x/mod/sumdb), which shares no code with ours: its checkpoint, each record against the tree that the
// tiles authenticate, an inclusion proof, and consistency with an older checkpoint.
//
//	verify FOLDER VKEY_FILE PROOF_FILE LEAF_HEX OLD_CHECKPOINT
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type tiles struct{ folder string }

func (t tiles) Height() int                          { return height }
func (t tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		// Go's paths name the height, C2SP's do not: tile/8/0/x001/234 is tile/0/x001/234.
		name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.folder, name))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func open(path string, verifiers note.Verifiers) (tlog.Tree, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	return parse(data, verifiers)
}

func parse(data []byte, verifiers note.Verifiers) (tlog.Tree, error) {
	signed, err := note.Open(data, verifiers)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("root hash")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

func records(folder string, tree tlog.Tree, reader tlog.HashReader) (int64, error) {
	var read int64
	for read < tree.N {
		width := tree.N - read
		if width > 1<<height {
			width = 1 << height
		}
		tile := tlog.Tile{H: height, L: -1, N: read >> height, W: int(width)}
		name := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return read, err
		}
		var indexes []int64
		var hashes []tlog.Hash
		for len(bundle) > 0 {
			length := int(binary.BigEndian.Uint16(bundle))
			hashes = append(hashes, tlog.RecordHash(bundle[2:2+length]))
			indexes = append(indexes, tlog.StoredHashIndex(0, read+int64(len(indexes))))
			bundle = bundle[2+length:]
		}
		stored, err := reader.ReadHashes(indexes)
		if err != nil {
			return read, err
		}
		for i := range stored {
			if !bytes.Equal(stored[i][:], hashes[i][:]) {
				return read + int64(i), errors.New("a record does not match its leaf")
			}
		}
		read += int64(len(indexes))
	}
	return read, nil
}

func inclusion(path, leafHex string, verifiers note.Verifiers) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, checkpoint, _ := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("proof header")
	}
	tree, err := parse([]byte(checkpoint), verifiers)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	var leaf tlog.Hash
	if n, err := hex.Decode(leaf[:], []byte(leafHex)); err != nil || n != tlog.HashSize {
		return errors.New("leaf hash")
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf)
}

func run(args []string) error {
	vkey, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return err
	}
	verifiers := note.VerifierList(verifier)
	tree, err := open(filepath.Join(args[0], "checkpoint"), verifiers)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tiles{args[0]})
	read, err := records(args[0], tree, reader)
	if err != nil {
		return err
	}
	if err := inclusion(args[2], args[3], verifiers); err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	old, err := open(args[4], verifiers)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	fmt.Printf("verified %d of %d records\n", read, tree.N)
	return nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
