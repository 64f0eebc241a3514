package app

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/templates/document"
	"github.com/catalyst-panel/catalyst/internal/templates/egg"
)

// maxDocument is the largest template that is read from a file, in bytes.
const maxDocument = 4 << 20

// template is about templates as files; it needs no panel.
func (p Process) template() *cobra.Command {
	cmd := &cobra.Command{Use: "template", Short: "Look at templates in files"}
	cmd.AddCommand(&cobra.Command{
		Use:   "validate FILE",
		Short: "Say whether a file is a template, or an egg, that can be imported; - is the standard input",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readDocument(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			t, report, err := templates.Read(text)
			if err != nil {
				return fault.New(fault.BadUserInput, "%s is no template that can be imported: %s.", args[0], err)
			}
			return tellTemplate(p.Stdout, args[0], t, report)
		},
	})
	return cmd
}

func readDocument(name string, stdin io.Reader) ([]byte, error) {
	from := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the template: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	if len(text) > maxDocument {
		return nil, fault.New(fault.BadUserInput, "The file is larger than a template may be: %d bytes.", maxDocument)
	}
	return text, nil
}

// tellTemplate says what was read, and every field that does not mean here what it meant there.
func tellTemplate(out io.Writer, file string, t document.Template, report egg.Report) error {
	if _, err := fmt.Fprintf(out, "%s: %q, %s, %d variables\n", file, t.Name, report.Format, len(t.Variables)); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	for _, e := range report.Entries {
		if e.Outcome == egg.Understood {
			continue
		}
		if _, err := fmt.Fprintf(out, "  %-12s %-32s %s\n", e.Outcome, e.Field, e.Message); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
	}
	return nil
}
