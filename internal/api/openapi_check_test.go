package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// contractDoc is the served document, read back.
type contractDoc struct {
	root    map[string]any
	schemas map[string]any
}

func readContract(t *testing.T) *contractDoc {
	t.Helper()
	text := makeContract("test")
	d := &contractDoc{}
	if err := json.Unmarshal(text, &d.root); err != nil {
		t.Fatalf("the contract is no JSON: %v\n%.2000s", err, text)
	}
	d.schemas = d.root["components"].(map[string]any)["schemas"].(map[string]any)
	return d
}

// resolve follows a reference.
func (d *contractDoc) resolve(ref string) any {
	at := any(d.root)
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	for key := range strings.SplitSeq(path, "/") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[key]
	}
	return at
}

// faults compares a value with a schema, as JSON Schema 2020-12 does for the words used here.
// It is stricter in one point: an object whose schema names fields has no others, so that a
// field that is added to a reply is added to openapi.txt as well.
func (d *contractDoc) faults(at string, schema, value any) (faults []string) {
	s, ok := schema.(map[string]any)
	if !ok {
		return []string{at + ": the schema is no object"}
	}
	if ref, ok := s["$ref"].(string); ok {
		return d.faults(at, d.resolve(ref), value)
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		if choices, ok := s[word].([]any); ok {
			return d.choose(at, s, choices, value)
		}
	}
	if want, ok := s["const"]; ok && want != value {
		faults = append(faults, fmt.Sprintf("%s: %v is not %v", at, value, want))
	}
	if words, ok := s["enum"].([]any); ok && !slices.Contains(words, value) {
		faults = append(faults, fmt.Sprintf("%s: %v is none of the words", at, value))
	}
	if !isOfType(s["type"], value) {
		return append(faults, fmt.Sprintf("%s: %v is not of type %v", at, value, s["type"]))
	}
	switch v := value.(type) {
	case string:
		if pattern, ok := s["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
			faults = append(faults, fmt.Sprintf("%s: %q does not match", at, v))
		}
	case []any:
		for i, item := range v {
			faults = append(faults, d.faults(fmt.Sprintf("%s[%d]", at, i), s["items"], item)...)
		}
	case map[string]any:
		faults = append(faults, d.objectFaults(at, s, v)...)
	}
	return faults
}

// choose takes the choice that fits, by the type of a command where there is one.
func (d *contractDoc) choose(at string, schema map[string]any, choices []any, value any) []string {
	if by, ok := schema["discriminator"].(map[string]any); ok {
		object, _ := value.(map[string]any)
		name, _ := object[by["propertyName"].(string)].(string)
		ref, ok := by["mapping"].(map[string]any)[name].(string)
		if !ok {
			return []string{fmt.Sprintf("%s: %q is no choice", at, name)}
		}
		return d.faults(at, d.resolve(ref), value)
	}
	var all []string
	for _, choice := range choices {
		faults := d.faults(at, choice, value)
		if len(faults) == 0 {
			return nil
		}
		all = append(all, faults...)
	}
	return all
}

func (d *contractDoc) objectFaults(at string, schema, value map[string]any) (faults []string) {
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			faults = append(faults, fmt.Sprintf("%s.%s is missing", at, name))
		}
	}
	fields, isNamed := schema["properties"].(map[string]any)
	others, _ := schema["additionalProperties"].(map[string]any)
	for name, v := range value {
		switch {
		case fields[name] != nil:
			faults = append(faults, d.faults(at+"."+name, fields[name], v)...)
		case others != nil:
			faults = append(faults, d.faults(at+"."+name, others, v)...)
		case isNamed:
			faults = append(faults, fmt.Sprintf("%s.%s is not described: add it to openapi.txt", at, name))
		}
	}
	return faults
}

func isOfType(want, value any) bool {
	switch w := want.(type) {
	case nil:
		return true
	case []any:
		return slices.ContainsFunc(w, func(one any) bool { return isOfType(one, value) })
	}
	switch v := value.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == "boolean"
	case string:
		return want == "string"
	case float64:
		return want == "number" || want == "integer" && v == float64(int64(v))
	case []any:
		return want == "array"
	default:
		return want == "object"
	}
}

// check compares a JSON text with the schema of that name.
func (d *contractDoc) check(t *testing.T, schema, text string) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Errorf("%s: %v: %s", schema, err, text)
		return
	}
	for _, fault := range d.faults(schema, map[string]any{"$ref": "#/components/schemas/" + schema}, value) {
		t.Error(fault)
	}
}

// lint returns what an OpenAPI linter would object to.
func (d *contractDoc) lint() (faults []string) {
	bad := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if d.root["openapi"] != "3.1.0" {
		bad("openapi is %v", d.root["openapi"])
	}
	tags := map[string]bool{}
	for _, tag := range d.root["tags"].([]any) {
		tags[tag.(map[string]any)["name"].(string)] = true
	}
	ids := map[string]bool{}
	for path, item := range d.root["paths"].(map[string]any) {
		for method, o := range item.(map[string]any) {
			operation := o.(map[string]any)
			at := method + " " + path
			id, _ := operation["operationId"].(string)
			if !regexp.MustCompile(`^[a-z][A-Za-z]*$`).MatchString(id) || ids[id] {
				bad("%s: operationId %q is not new, or not camel case", at, id)
			}
			ids[id] = true
			for _, key := range []string{"summary", "description"} {
				if text, _ := operation[key].(string); len(text) < 5 {
					bad("%s has no %s", at, key)
				}
			}
			if used, _ := operation["tags"].([]any); len(used) != 1 || !tags[used[0].(string)] {
				bad("%s: tags %v", at, used)
			}
			faults = append(faults, d.lintParameters(at, path, operation)...)
			responses, _ := operation["responses"].(map[string]any)
			if responses["200"] == nil || responses["405"] == nil {
				bad("%s: no reply 200 or 405", at)
			}
		}
	}
	used := map[string]bool{}
	d.walk("#", d.root, used, bad)
	for section, all := range d.root["components"].(map[string]any) {
		for name := range all.(map[string]any) {
			if section != "securitySchemes" && !used["#/components/"+section+"/"+name] {
				bad("nobody uses #/components/%s/%s", section, name)
			}
		}
	}
	return faults
}

// lintParameters wants the names in a path and its parameters to be the same.
func (d *contractDoc) lintParameters(at, path string, operation map[string]any) (faults []string) {
	var inPath, declared []string
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		inPath = append(inPath, m[1])
	}
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		parameter, _ := d.resolve(p.(map[string]any)["$ref"].(string)).(map[string]any)
		if parameter == nil {
			return append(faults, at+": no such parameter")
		}
		if parameter["in"] == "path" {
			declared = append(declared, parameter["name"].(string))
			if parameter["required"] != true {
				faults = append(faults, at+": a parameter of a path is required")
			}
		}
		if parameter["description"] == "" {
			faults = append(faults, at+": a parameter has no description")
		}
	}
	if !slices.Equal(inPath, declared) {
		faults = append(faults, fmt.Sprintf("%s: the path names %v, the parameters %v", at, inPath, declared))
	}
	return faults
}

// walk looks at every object below a node: references lead somewhere, required fields exist,
// schemas with fields are described.
func (d *contractDoc) walk(at string, node any, used map[string]bool, bad func(string, ...any)) {
	switch n := node.(type) {
	case []any:
		for i, item := range n {
			d.walk(fmt.Sprintf("%s/%d", at, i), item, used, bad)
		}
	case map[string]any:
		if ref, ok := n["$ref"].(string); ok {
			used[ref] = true
			if d.resolve(ref) == nil {
				bad("%s: %s leads nowhere", at, ref)
			}
		}
		if mapping, ok := n["mapping"].(map[string]any); ok {
			for _, ref := range mapping {
				if d.resolve(ref.(string)) == nil {
					bad("%s: %s leads nowhere", at, ref)
				}
			}
		}
		properties, isSchema := n["properties"].(map[string]any)
		required, _ := n["required"].([]any)
		for _, name := range required {
			if isSchema && properties[name.(string)] == nil {
				bad("%s requires %s, which it does not have", at, name)
			}
		}
		for name, p := range properties {
			if field := p.(map[string]any); field["const"] == nil && field["description"] == nil {
				bad("%s: field %s has no description", at, name)
			}
		}
		for key, child := range n {
			d.walk(at+"/"+key, child, used, bad)
		}
	}
}
