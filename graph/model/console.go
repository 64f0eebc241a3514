package model

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/catalyst-panel/catalyst/graph/scalar"
	"github.com/catalyst-panel/catalyst/internal/console"
)

// ConsoleBatch shows a batch of lines to one of its readers. Readers who selected the same get the same text, which is
// made once for all of them: for a crowd around a busy console, making it anew is most of the work.
type ConsoleBatch struct {
	console.Batch
	view *ConsoleView
}

// ConsoleView is what a reader selected of ConsoleBatch. It stays the same as long as the reader reads.
type ConsoleView struct {
	fields []viewField
	key    string
}

// viewField is a field that was selected, or one of the lines' fields.
type viewField struct {
	name, alias string
	lines       []viewField
}

// NewConsoleView reads the selection of the field that ctx resolves.
func NewConsoleView(ctx context.Context) *ConsoleView {
	v := &ConsoleView{}
	var key strings.Builder
	for _, f := range graphql.CollectFieldsCtx(ctx, []string{"ConsoleBatch"}) {
		field := viewField{name: f.Name, alias: f.Alias}
		key.WriteString(f.Alias + ":" + f.Name + "{")
		for _, l := range graphql.CollectFields(graphql.GetOperationContext(ctx), f.Selections, []string{"ConsoleLine"}) {
			field.lines = append(field.lines, viewField{name: l.Name, alias: l.Alias})
			key.WriteString(l.Alias + ":" + l.Name + ",")
		}
		key.WriteString("}")
		v.fields = append(v.fields, field)
	}
	v.key = key.String()
	return v
}

// Of shows a batch to the reader.
func (v *ConsoleView) Of(b console.Batch) *ConsoleBatch { return &ConsoleBatch{Batch: b, view: v} }

// MarshalGQLContext writes what the reader selected.
func (b *ConsoleBatch) MarshalGQLContext(_ context.Context, w io.Writer) error {
	_, err := w.Write(b.Texts.Of(b.view.key, b.render))
	return err
}

// UnmarshalGQLContext is what gqlgen tells by that a type writes itself. There is no input of this type.
func (*ConsoleBatch) UnmarshalGQLContext(context.Context, any) error {
	return errors.New("a ConsoleBatch is no input")
}

func (b *ConsoleBatch) render() []byte {
	var w bytes.Buffer
	object(&w, b.view.fields, "ConsoleBatch", func(f viewField) {
		switch f.name {
		case "skipped":
			scalar.MarshalUint64(b.Skipped).MarshalGQL(&w)
		case "lines":
			w.WriteByte('[')
			for i := range b.Lines {
				if i > 0 {
					w.WriteByte(',')
				}
				line(&w, f.lines, &b.Lines[i])
			}
			w.WriteByte(']')
		}
	})
	return w.Bytes()
}

func line(w *bytes.Buffer, fields []viewField, l *console.Line) {
	object(w, fields, "ConsoleLine", func(f viewField) {
		switch f.name {
		case "seq":
			scalar.MarshalSeq(l.Seq).MarshalGQL(w)
		case "time":
			scalar.MarshalTime(l.Time()).MarshalGQL(w)
		case "stream":
			l.Stream.MarshalGQL(w)
		case "text":
			scalar.MarshalString(l.Text).MarshalGQL(w)
		}
	})
}

// object writes an object of the fields, whose values value writes.
func object(w *bytes.Buffer, fields []viewField, typename string, value func(viewField)) {
	w.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteString(strconv.Quote(f.alias) + ":")
		if f.name == "__typename" {
			w.WriteString(strconv.Quote(typename))
			continue
		}
		value(f)
	}
	w.WriteByte('}')
}
