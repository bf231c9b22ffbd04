package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errNothing says that there is no other side, which is nobody's fault.
var errNothing = errors.New("nothing to compare with")

// tree is the git working tree that is judged.
type tree struct{ root string }

func openTree(ctx context.Context, dir string) (*tree, error) {
	root, err := output(ctx, dir, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("%w: no git history here", errNothing)
	}
	return &tree{root: root}, nil
}

// base returns the commit to compare with and why it is that one: the one asked for; else
// where HEAD left the main branch; on the main branch itself HEAD, if files differ from it,
// else its parent.
func (t *tree) base(ctx context.Context, asked string) (commit, why string, err error) {
	if asked != "" {
		if commit, err = t.commit(ctx, asked); err != nil {
			return "", "", fmt.Errorf("no commit %q", asked)
		}
		return commit, asked, nil
	}
	head, err := t.commit(ctx, "HEAD")
	if err != nil {
		return "", "", fmt.Errorf("%w: no commit yet", errNothing)
	}
	for _, branch := range []string{"origin/HEAD", "origin/main", "origin/master", "main", "master"} {
		at, err := output(ctx, t.root, "git", "merge-base", "HEAD", branch)
		if err == nil && at != head {
			return at, "merge base with " + branch, nil
		}
	}
	changed, err := output(ctx, t.root, "git", "status", "--porcelain")
	if err != nil {
		return "", "", err
	}
	if changed != "" {
		return head, "HEAD: the tree has changes", nil
	}
	if parent, err := t.commit(ctx, "HEAD~1"); err == nil {
		return parent, "parent of HEAD", nil
	}
	return "", "", fmt.Errorf("%w: a single commit, or a shallow clone", errNothing)
}

func (t *tree) commit(ctx context.Context, name string) (string, error) {
	return output(ctx, t.root, "git", "rev-parse", "--verify", "--quiet", name+"^{commit}")
}

// checkOut puts a commit beside the working tree; remove takes it away again.
func (t *tree) checkOut(ctx context.Context, commit, scratch string) (dir string, remove func() error, err error) {
	dir = filepath.Join(scratch, "base")
	if _, err := output(ctx, t.root, "git", "worktree", "add", "--detach", "--force", dir, commit); err != nil {
		return "", nil, err
	}
	return dir, func() error { // an interrupted run cleans up as well
		_, err := output(context.WithoutCancel(ctx), t.root, "git", "worktree", "remove", "--force", dir)
		return err
	}, nil
}

// output runs a program and returns what it printed, without the last line's end.
func output(ctx context.Context, dir, program string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, program, args...)
	var out, complaints bytes.Buffer
	c.Dir, c.Stdout, c.Stderr, c.Env = dir, &out, &complaints, environment()
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return strings.TrimSpace(out.String()), nil
}

// environment is ours without what a git hook or a caller's go would point elsewhere.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GOFLAGS", "PWD":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}
