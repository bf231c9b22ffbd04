package api

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"plimsoll/risk"
)

// schemaText describes bodies and replies; its own head says how.
//
//go:embed openapi.txt
var schemaText string

// property is one field of a schema.
type property struct {
	name, kind, about string
	isOptional        bool
}

// object is one schema of schemaText.
type object struct {
	name, about string
	fields      []property
}

// parseSchemas reads schemaText. A fault in it is one of this program: a test reads it.
func parseSchemas(text string) (schemas []object, err error) {
	named := map[string]*object{}
	for number, line := range strings.Split(text, "\n") {
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '[':
			name, about, ok := strings.Cut(line[1:], "] ")
			if !ok || named[name] != nil {
				return nil, fmt.Errorf("api: openapi.txt line %d: no new schema", number+1)
			}
			schemas = append(schemas, object{name: name, about: about})
			named = map[string]*object{}
			for i := range schemas {
				named[schemas[i].name] = &schemas[i]
			}
			continue
		case len(schemas) == 0:
			return nil, fmt.Errorf("api: openapi.txt line %d: a field before the first schema", number+1)
		}
		last := &schemas[len(schemas)-1]
		if other, isAll := strings.CutPrefix(line, "+ "); isAll {
			if named[other] == nil {
				return nil, fmt.Errorf("api: openapi.txt line %d: no schema %s above", number+1, other)
			}
			last.fields = append(last.fields, named[other].fields...)
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		kind, about, ok := strings.Cut(rest, " ")
		if !ok || about == "" {
			return nil, fmt.Errorf("api: openapi.txt line %d: a field has name, type and text", number+1)
		}
		name, isOptional := strings.CutSuffix(name, "?")
		last.fields = append(last.fields, property{name, kind, about, isOptional})
	}
	return schemas, nil
}

// appendKind writes the schema of a type of schemaText, as the fields of an object.
func appendKind(dst []byte, kind string) []byte {
	if base, isNullable := strings.CutSuffix(kind, "|null"); isNullable {
		switch base {
		case "string", "integer", "number", "boolean":
			return append(append(append(appendKey(dst, "type"), `["`...), base...), `","null"]`...)
		}
		dst = append(appendKey(dst, "anyOf"), '[', '{')
		return append(appendKind(dst, base), `},{"type":"null"}]`...)
	}
	if base, isArray := strings.CutSuffix(kind, "[]"); isArray {
		dst = append(appendKey(appendTextField(dst, "type", "array"), "items"), '{')
		return append(appendKind(dst, base), '}')
	}
	if base, isMap := strings.CutSuffix(kind, "{}"); isMap {
		dst = append(appendKey(appendTextField(dst, "type", "object"), "additionalProperties"), '{')
		return append(appendKind(dst, base), '}')
	}
	switch {
	case kind == "any":
		return dst
	case kind == "decimal":
		return appendRef(dst, "schemas", "Decimal")
	case kind[0] == '@':
		return appendRef(dst, "schemas", kind[1:])
	case kind[0] == '"':
		words := strings.Split(strings.ReplaceAll(kind, `"`, ""), "/")
		return appendWords(appendTextField(dst, "type", "string"), "enum", words)
	default:
		return appendTextField(dst, "type", kind)
	}
}

func appendRef(dst []byte, section, name string) []byte {
	return appendTextField(dst, "$ref", "#/components/"+section+"/"+name)
}

func appendWords(dst []byte, key string, words []string) []byte {
	dst = append(appendKey(dst, key), '[')
	for _, word := range words {
		dst = appendText(appendSep(dst), word)
	}
	return append(dst, ']')
}

// appendProperty writes a field of an object.
func appendProperty(dst []byte, name, kind, about string) []byte {
	dst = append(appendKey(dst, name), '{')
	return append(appendTextField(appendKind(dst, kind), "description", about), '}')
}

// appendObject writes a schema of schemaText.
func appendObject(dst []byte, o *object) []byte {
	dst = append(appendKey(dst, o.name), '{')
	if len(o.fields) == 0 {
		dst = appendTextField(dst, "type", "string")
		return append(appendTextField(dst, "description", o.about), '}')
	}
	dst = appendTextField(appendTextField(dst, "type", "object"), "description", o.about)
	dst = append(appendKey(dst, "properties"), '{')
	var required []string
	for i := range o.fields {
		f := &o.fields[i]
		dst = appendProperty(dst, f.name, f.kind, f.about)
		if !f.isOptional {
			required = append(required, f.name)
		}
	}
	dst = append(dst, '}')
	if len(required) > 0 {
		dst = appendWords(dst, "required", required)
	}
	return append(dst, '}')
}

// appendCommands writes a schema for each row of the decoder's table, and the choice of them.
func appendCommands(dst []byte, fields *object) []byte {
	dst = append(appendKey(dst, "Command"), '{')
	dst = append(appendKey(appendTextField(dst, "description", "One command, by its type."), "oneOf"), '[')
	for i := range specs {
		dst = append(appendRef(append(appendSep(dst), '{'), "schemas", schemaOf(&specs[i])), '}')
	}
	dst = append(appendKey(append(dst, ']'), "discriminator"), `{"propertyName":"type","mapping":{`...)
	for i := range specs {
		dst = appendTextField(dst, specs[i].name, "#/components/schemas/"+schemaOf(&specs[i]))
	}
	dst = append(dst, '}', '}', '}')
	for i := range specs {
		dst = appendCommand(dst, &specs[i], fields)
	}
	return dst
}

// schemaOf names the schema of a command: order is OrderCommand.
func schemaOf(s *spec) string {
	var name []byte
	for word := range strings.SplitSeq(s.name, "_") {
		name = append(append(name, word[0]-'a'+'A'), word[1:]...)
	}
	return string(name) + "Command"
}

func appendCommand(dst []byte, s *spec, fields *object) []byte {
	dst = append(appendKey(dst, schemaOf(s)), '{')
	about := "A command " + s.name + "; scope " + scopeOf(s.kind).String() + "."
	dst = appendTextField(appendTextField(dst, "type", "object"), "description", about)
	dst = append(appendKey(dst, "properties"), '{')
	required := []string{fieldNames[fieldType]}
	for f := range fieldCount {
		name := fieldNames[f]
		switch {
		case f == fieldType:
			dst = append(appendTextField(append(appendKey(dst, name), '{'), "const", s.name), '}')
		case s.allowed.has(f):
			p := fieldOf(fields, s.name, name)
			dst = appendProperty(dst, name, p.kind, p.about)
			if s.required.has(f) {
				required = append(required, name)
			}
		}
	}
	dst = appendWords(append(dst, '}'), "required", required)
	return append(appendBoolField(dst, "additionalProperties", false), '}')
}

// fieldOf returns what a field of a command is; one that openapi.txt does not know is anything.
func fieldOf(fields *object, command, name string) property {
	found := property{name: name, kind: "any", about: "Not described."}
	for _, f := range fields.fields {
		if f.name == command+"."+name {
			return f
		}
		if f.name == name {
			found = f
		}
	}
	return found
}

// wordSchemas are the lists of words that fields take.
func wordSchemas() []struct {
	name, about string
	words       []string
} {
	var events, health, lending, codes []string
	for k := risk.EventResult + 1; k.String() != risk.EventNone.String(); k++ {
		events = append(events, k.String())
	}
	events = append(events, "cursor", "end") // what a stream tells of itself
	for h := range risk.HealthCount {
		health = append(health, h.String())
	}
	for h := range risk.LendingHealthCount {
		lending = append(lending, lendingHealthName(h))
	}
	for i := range errorTable {
		codes = append(codes, errorTable[i].code)
	}
	for _, code := range reasonCodes() {
		if !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return []struct {
		name, about string
		words       []string
	}{
		{"Side", "Buy or sell.", []string{"buy", "sell"}},
		{"Mode", "How the margin of an account is counted.", modeNames[1:]},
		{"MarginKind", "How a position is margined.", []string{"cross", "isolated"}},
		{"Health", "How far an account is from liquidation.", health},
		{"LendingHealth", "How far the debts of an account are from liquidation.", lending},
		{"EventType", "What happened; cursor and end are of the stream itself.", events},
		{"ErrorCode", "What is wrong, for programs. More may come.", codes},
	}
}

// reasonCodes returns the refusals of the rules.
func reasonCodes() (codes []string) {
	const none = risk.Reason(1<<8 - 1)
	for r := risk.ReasonNone + 1; r.String() != none.String(); r++ {
		codes = append(codes, r.String())
	}
	return codes
}
