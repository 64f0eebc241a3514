package servers

import "github.com/catalyst-panel/catalyst/internal/text"

// What the columns keep, in bytes.
const (
	maxName        = 128
	maxDescription = 4096
	maxImage       = 512
	maxNetwork     = 128
)

// texts are the texts of an input; nil is one that it does not name.
type texts struct {
	name, description, image, network *string
}

// check refuses what cannot be kept or shown, and takes the space around the name away.
func (w texts) check() error {
	if w.name != nil {
		name, err := text.Name("name", "the server", *w.name, maxName)
		if err != nil {
			return err
		}
		*w.name = name
	}
	if err := text.Block("description", w.description, maxDescription); err != nil {
		return err
	}
	if err := text.Line("image", w.image, maxImage); err != nil {
		return err
	}
	return text.Line("network", w.network, maxNetwork)
}
