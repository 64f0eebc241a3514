package servers

import (
	"context"
	"fmt"
	"strings"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/template"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/templates"
	"github.com/catalyst-panel/catalyst/internal/templates/feature"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// The file in which Minecraft's servers look for the agreement to their licence.
const (
	eulaFile   = "eula.txt"
	eulaAgreed = "eula=true\n"
)

// Files write a file of a server with the caller's rights; package files has them.
type Files interface {
	WriteText(ctx context.Context, serverID, path, text string) error
}

// Prompt is what a server's program asked for when it ended.
type Prompt struct {
	// Feature is the template's feature that it belongs to, Message what people read.
	Feature, Message string
	// Images are those that can be chosen, where another one is asked for.
	Images []kind.TemplateImage
}

// Prompts returns what the programs of those of the servers ask for that the caller may see.
func (s *Service) Prompts(ctx context.Context, ids []string) (map[string]*Prompt, error) {
	rows, err := s.Client.Server.Query().Where(server.IDIn(ids...), server.StateIn(kind.ServerStateCrashed, kind.ServerStateStopped)).
		Select(server.FieldID, server.FieldTemplateID, server.FieldTemplateRevision, server.FieldState, server.FieldStateReason,
			server.FieldLastLines, server.FieldImage).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read servers: %w", err)
	}
	asking := rows[:0]
	for _, sv := range rows {
		// One that was stopped has been asked to; what it wrote before does not matter any more.
		if len(sv.LastLines) > 0 && (sv.State == kind.ServerStateCrashed || sv.StateReason == kind.EndedWell) {
			asking = append(asking, sv)
		}
	}
	out := make(map[string]*Prompt, len(asking))
	if len(asking) == 0 {
		return out, nil
	}
	recipes, err := s.recipesOf(ctx, asking)
	if err != nil {
		return nil, err
	}
	for _, sv := range asking {
		recipe := recipes.Of(sv)
		found := feature.Find(recipe.Features, sv.LastLines)
		if found == nil {
			continue
		}
		p := &Prompt{Feature: found.Feature, Message: found.Message, Images: []kind.TemplateImage{}}
		if found.Feature == feature.JavaVersion {
			for _, image := range recipe.Images {
				if image.Image != sv.Image {
					p.Images = append(p.Images, image)
				}
			}
		}
		out[sv.ID] = p
	}
	return out, nil
}

// AnswerPromptInput answers what a server's program asks for.
type AnswerPromptInput struct {
	ServerID string
	// Feature is the prompt's, so that nobody agrees to what is asked for since.
	Feature string
	// Accept agrees to a licence, Image is the one to run in from now on.
	Accept bool
	Image  *string
}

// AnswerPrompt does what a server's program asked for, and starts it again. It needs server.start, and what the answer
// does: file.write for a licence, server.update for another image. It fails with CONFLICT when nothing like that is asked
// for.
func (s *Service) AnswerPrompt(ctx context.Context, in AnswerPromptInput) (*ent.Server, error) {
	if err := s.may(ctx, deed("server.answer_prompt", in.ServerID), access.ServerStart); err != nil {
		return nil, err
	}
	prompts, err := s.Prompts(ctx, []string{in.ServerID})
	if err != nil {
		return nil, err
	}
	p := prompts[in.ServerID]
	if p == nil || p.Feature != in.Feature {
		return nil, fault.New(fault.Conflict, "The server does not ask for this now: its field prompt says what it asks for.")
	}
	switch p.Feature {
	case feature.EULA:
		if !in.Accept {
			return nil, fault.Input("accept", "Say accept: true when you agree to the licence; otherwise the program does not start.")
		}
		if err := s.Files.WriteText(ctx, in.ServerID, eulaFile, eulaAgreed); err != nil {
			return nil, fmt.Errorf("agree to the licence: %w", err)
		}
	case feature.JavaVersion:
		if err := s.choose(ctx, in, p.Images); err != nil {
			return nil, err
		}
	default:
		return nil, fault.New(fault.Conflict, "This cannot be answered from here: the prompt's message says what to do.")
	}
	return s.Start(ctx, in.ServerID)
}

// choose gives a server another image.
func (s *Service) choose(ctx context.Context, in AnswerPromptInput, images []kind.TemplateImage) error {
	names := make([]string, len(images))
	for i, image := range images {
		names[i] = image.Image
	}
	if in.Image == nil {
		return fault.Input("image", "Choose an image: %s.", strings.Join(names, ", "))
	}
	_, err := s.Update(ctx, UpdateInput{ID: in.ServerID, Image: in.Image})
	return err
}

// recipesOf returns what servers run by, whoever may see their templates.
func (s *Service) recipesOf(ctx context.Context, rows []*ent.Server) (templates.Recipes, error) {
	sys := viewer.System(ctx, nil, "read what servers run by")
	used := make([]string, len(rows))
	for i, sv := range rows {
		used[i] = sv.TemplateID
	}
	list, err := s.Client.Template.Query().Where(template.IDIn(used...)).All(sys)
	if err != nil {
		return templates.Recipes{}, fmt.Errorf("read templates of servers: %w", err)
	}
	for _, sv := range rows {
		for _, tmpl := range list {
			if tmpl.ID == sv.TemplateID {
				sv.Edges.Template = tmpl
			}
		}
	}
	return templates.ReadRecipes(sys, s.Client, rows...)
}
