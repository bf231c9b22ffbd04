package api

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// selector finds metrics in expressions, with what is in braces behind them.
var selector = regexp.MustCompile(`\b((?:plimsoll|go)_[a-z0-9_]+)(\{[^}]*\})?`)

// TestDeployNamesWhatIsShown holds every metric and label in the dashboard and the alerts
// against a scrape.
func TestDeployNamesWhatIsShown(t *testing.T) {
	h, stop := newDurableHouse(t, t.TempDir(), 2)
	defer stop()
	h.furnish()
	if status, reply, _ := h.do("POST", "/v1/snapshot", "", ""); status != 200 {
		t.Fatal(status, reply)
	}
	families := h.untilTotals()
	shown := map[string][]string{}
	for _, f := range families {
		for i := range f.samples {
			s := &f.samples[i]
			for _, l := range s.labels {
				shown[s.name] = append(shown[s.name], l[0])
			}
			shown[s.name] = append(shown[s.name], "instance", "job")
		}
	}
	expressions := append(dashboardExpressions(t), alertExpressions(t)...)
	if len(expressions) < 40 {
		t.Fatalf("only %d expressions were found", len(expressions))
	}
	for _, expression := range expressions {
		if strings.Count(expression, "(") != strings.Count(expression, ")") {
			t.Errorf("brackets: %s", expression)
		}
		names := selector.FindAllStringSubmatch(expression, -1)
		if len(names) == 0 && !strings.HasPrefix(expression, "up{") {
			t.Errorf("no metric in %s", expression)
		}
		for _, m := range names {
			labels, ok := shown[m[1]]
			if !ok {
				t.Errorf("%s is not shown: %s", m[1], expression)
			}
			for _, label := range regexp.MustCompile(`([a-z_]+)=`).FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(labels, label[1]) {
					t.Errorf("%s has no label %s: %s", m[1], label[1], expression)
				}
			}
			for _, by := range regexp.MustCompile(`by \(([a-z_, ]+)\)`).FindAllStringSubmatch(expression, -1) {
				for label := range strings.SplitSeq(by[1], ", ") {
					if len(names) == 1 && !slices.Contains(labels, label) {
						t.Errorf("%s has no label %s: %s", m[1], label, expression)
					}
				}
			}
		}
	}
}

// dashboardExpressions reads the panels, and wants each to say what it shows, on a grid
// without holes or overlaps.
func dashboardExpressions(t *testing.T) (expressions []string) {
	t.Helper()
	file, err := os.ReadFile("../../deploy/grafana/plimsoll.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title  string
		Panels []struct {
			ID                       int
			Type, Title, Description string
			GridPos                  struct{ H, W, X, Y int }
			Targets                  []struct{ RefID, Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(file, &board); err != nil {
		t.Fatal(err)
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %d %q is not new, or says or shows nothing", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if at[0] >= 24 || taken[at] != "" {
					t.Fatalf("panel %q lies over %q", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			expressions = append(expressions, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	return expressions
}

// alertExpressions reads the rules line by line: each alert has an expression, a severity and
// annotations.
func alertExpressions(t *testing.T) (expressions []string) {
	t.Helper()
	file, err := os.ReadFile("../../deploy/prometheus/plimsoll-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, block := range strings.Split(string(file), "- alert: ")[1:] {
		name, body, _ := strings.Cut(block, "\n")
		if names[name] || !regexp.MustCompile(`^Plimsoll[A-Za-z]+$`).MatchString(name) {
			t.Errorf("alert %q", name)
		}
		names[name] = true
		for _, key := range []string{"expr: ", "labels: {severity: ", "annotations:", `summary: "`, `description: "`} {
			if strings.Count(body, key) != 1 {
				t.Errorf("alert %s has %d of %q", name, strings.Count(body, key), key)
			}
		}
		_, expression, _ := strings.Cut(body, "expr: ")
		expression, _, _ = strings.Cut(expression, "\n")
		expressions = append(expressions, expression)
	}
	for _, must := range []string{"BandAuditMisses", "JournalStalls", "ApplyLag", "CommandsSlow", "DiskFillsUp", "LedgerDifference"} {
		if !names["Plimsoll"+must] {
			t.Errorf("there is no alert Plimsoll%s", must)
		}
	}
	return expressions
}
