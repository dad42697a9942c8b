// Reads what deploy/ holds with the parsers of those who will read it there: the compose file with compose-go, the
// Dockerfile with BuildKit's frontend, PromQL and rules with Prometheus's own. Prints one line a finding; exits with 1 where
// there is one.
//
//	go run . compose FILE | dockerfile FILE | rules FILE | promql FILE, one expression a line
package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	dockerparser "github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	promparser "github.com/prometheus/prometheus/promql/parser"
)

var promql = promparser.NewParser(promparser.Options{})

func main() {
	args := append(os.Args[1:], "", "")
	readers := map[string]func(path string) []error{
		"compose": compose, "dockerfile": dockerfile, "rules": rules, "promql": expressions,
	}
	read, ok := readers[args[0]]
	if !ok {
		fmt.Println("usage: compose FILE | dockerfile FILE | rules FILE | promql FILE")
		os.Exit(2)
	}
	errs := read(args[1])
	for _, err := range errs {
		fmt.Println(err)
	}
	if len(errs) > 0 {
		os.Exit(1)
	}
}

func compose(path string) []error {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true))
	if err != nil {
		return []error{err}
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return []error{err}
	}
	var errs []error
	for _, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != "bind" {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", service.Name, err))
			}
		}
	}
	return errs
}

func dockerfile(path string) []error {
	file, err := os.Open(path)
	if err != nil {
		return []error{err}
	}
	defer file.Close()
	parsed, err := dockerparser.Parse(file)
	if err != nil {
		return []error{err}
	}
	var errs []error
	for _, warning := range parsed.Warnings {
		errs = append(errs, fmt.Errorf("%s: %s", path, warning.Short))
	}
	lint := linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, at []dockerparser.Range) {
			line := 0
			if len(at) > 0 {
				line = at[0].Start.Line
			}
			errs = append(errs, fmt.Errorf("%s:%d: %s: %s", path, line, rule, message))
		},
	})
	if _, _, err := instructions.Parse(parsed.AST, lint); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func rules(path string) []error {
	_, errs := rulefmt.ParseFile(path, false, model.UTF8Validation, promql, slog.Default())
	return errs
}

// One expression a line.
func expressions(path string) []error {
	file, err := os.Open(path)
	if err != nil {
		return []error{err}
	}
	defer file.Close()
	var errs []error
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if _, err := promql.ParseExpr(lines.Text()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", lines.Text(), err))
		}
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, err)
	}
	return errs
}
