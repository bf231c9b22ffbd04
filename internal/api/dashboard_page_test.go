package api

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestThePageInABrowser runs what follows in one browser, one after the other.
func TestThePageInABrowser(t *testing.T) {
	b := newBrowser(t)
	for _, c := range []struct {
		name string
		test func(t *testing.T, b *browser)
	}{
		{"ShowsWhatIsLive", showsWhatIsLive},
		{"SaysThatThereIsNothing", saysThatThereIsNothing},
		{"ComesBackAfterARestart", comesBackAfterARestart},
		{"WaitsForADaemonThatStarts", waitsForADaemonThatStarts},
		{"AsksForAToken", asksForAToken},
		{"ExplainsAnAccount", explainsAnAccount},
		{"AnswersWhatIf", answersWhatIf},
		{"IsUsedByKeyboardAlone", isUsedByKeyboardAlone},
		{"FitsAPhone", fitsAPhone},
		{"IsDarkAndLight", isDarkAndLight},
		{"NamesEveryControl", namesEveryControl},
		{"CanBeRead", canBeRead},
		{"PassesAxe", passesAxe},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, b) })
	}
}

// full waits until every panel has something in it.
func (p *tab) full() {
	p.t.Helper()
	p.await("every panel is filled", `document.querySelector("#latency tbody tr") && document.querySelector("#nearest tbody tr") &&
		document.querySelector("#pools tbody tr") && document.querySelector(".ticker li") && document.querySelector(".cells canvas") &&
		document.querySelectorAll("#whatif-market option").length > 1 && document.querySelector("#kpi-commands small")`)
}

// shock pulls the slider.
func (p *tab) shock(percent int) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(() => { const s = document.querySelector("#whatif-move"); s.value = %d; return s.dispatchEvent(new Event("input")); })()`, percent))
}

func showsWhatIsLive(t *testing.T, b *browser) {
	h := pageHouse(t, 2)
	h.settle(40)
	h.walk()
	p := b.open(t, h.url(), desktop)
	p.visit()
	p.full()
	view, _, err := h.engine.Totals(dashboardNearest)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.text("#kpi-accounts"); got != strconv.FormatUint(view.Accounts, 10) {
		t.Errorf("%s accounts are shown, want %d", got, view.Accounts)
	}
	if got := eval[int](p, `document.querySelectorAll("#nearest tbody tr").length`); got != len(view.Nearest) {
		t.Errorf("%d accounts are listed, want %d", got, len(view.Nearest))
	}
	if label := eval[string](p, `document.querySelector(".cells canvas").getAttribute("aria-label")`); !strings.Contains(label, fmt.Sprintf("Heat map of %d accounts", view.Accounts)) {
		t.Errorf("the map says %q", label)
	}
	for _, ring := range []string{"Ingress", "Broadcast", "Outbox 1", "Shard 1 behind"} {
		if !strings.Contains(p.text("#flow"), ring) {
			t.Errorf("the panel of rings does not have %s", ring)
		}
	}
	before := p.text("#fact-seq")
	p.await("figures move", fmt.Sprintf(`document.querySelector("#fact-seq").textContent !== %q`, before))
	p.await("commands are timed", `/\d (ns|µs|ms)/.test([...document.querySelectorAll("#latency tr")].find((r) => r.textContent.startsWith("Whole pipeline")).cells[1].textContent)`)
	p.await("a canvas is drawn", `(() => { const c = document.querySelector("#throughput canvas"); const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; return d.some((v) => v > 0); })()`)
	p.keep("desktop-dark")
	p.isQuiet(false)
}

func saysThatThereIsNothing(t *testing.T, b *browser) {
	h := pageHouse(t, 1)
	p := b.open(t, h.url(), desktop)
	p.visit()
	for panel, want := range map[string]string{
		"#heat": "No account is open", "#nearest": "Nobody is near a line", "#pools": "No lending pool is listed", "#events": "No event yet",
		"#detail": "No account is chosen", "#whatif-result": "Nothing is moved",
	} {
		p.await(panel+" says that there is nothing", fmt.Sprintf(`document.querySelector(%q).textContent.includes(%q)`, panel, want))
	}
	p.keep("empty")
	p.isQuiet(false)
}

func comesBackAfterARestart(t *testing.T, b *browser) {
	h := pageHouse(t, 1)
	h.settle(9)
	p := b.open(t, h.url(), desktop)
	p.visit()
	p.await("there are accounts", `document.querySelector("#nearest tbody tr")`)
	h.restart(func() {
		p.await("the loss is told", `document.body.dataset.state === "lost" && !document.querySelector("#banner").hidden`)
		if got := p.text("#state"); got != "Disconnected" {
			t.Errorf("the state is %q", got)
		}
		p.do(chromedp.Click("#nearest button"))
		p.await("a read that fails is told", `document.querySelector("#detail").textContent.includes("cannot be reached")`)
		p.shock(-20)
		p.await("and a what-if that fails", `document.querySelector("#whatif-result").textContent.includes("cannot be reached")`)
		p.keep("lost")
	})
	eval[bool](p, `(document.querySelector("#retry").click(), true)`) // unless it has come back by itself meanwhile
	p.await("it is live again", `document.body.dataset.state === "live" && document.querySelector("#banner").hidden`)
	p.await("with the new daemon", `document.querySelector("#version").textContent === "after"`)
	p.do(chromedp.Click("#detail button"))
	p.await("a read is tried again", `document.querySelector("#detail [role=tree]")`)
	h.restart(func() {})
	p.await("it comes back by itself", `performance.getEntriesByType("resource").filter((r) => r.name.endsWith("/stream")).length >= 3 && document.body.dataset.state === "live"`)
	p.isQuiet(true)
}

func waitsForADaemonThatStarts(t *testing.T, b *browser) {
	h := pageHouse(t, 1)
	h.server.isOpen.Store(false)
	p := b.open(t, h.url(), desktop)
	p.do(chromedp.Navigate(p.base + "/"))
	p.await("that it starts is told", `document.querySelector("#banner-text").textContent.includes("not ready")`)
	h.server.isOpen.Store(true)
	p.await("it is live", `document.body.dataset.state === "live"`)
	p.isQuiet(true)
}

func asksForAToken(t *testing.T, b *browser) {
	g := newGuarded(t, func(c *Config) { c.Tokens = tokensOf(t, "desk read") })
	g.server.dashboard.every = 120 * time.Millisecond
	p := b.open(t, g.url(), desktop)
	p.do(chromedp.Navigate(p.base + "/"))
	p.await("a token is asked for", `document.querySelector("#token-dialog").open && document.activeElement.id === "token"`)
	p.keep("token")
	p.press("w", "r", "o", "n", "g", kb.Enter)
	p.await("a wrong one is told", `document.querySelector("#token-dialog").open && document.querySelector("#token-fault").textContent.includes("not known")`)
	p.do(chromedp.SendKeys("#token", secretOf("desk")+kb.Enter))
	p.await("the right one is taken", `document.body.dataset.state === "live" && !document.querySelector("#token-dialog").open`)
	if kept := eval[string](p, `JSON.stringify([sessionStorage["plimsoll.token"], JSON.stringify(localStorage).includes("plim_"), document.cookie, location.href])`); kept != fmt.Sprintf(`[%q,false,"",%q]`, secretOf("desk"), g.url()+"/") {
		t.Errorf("the token is kept as %s", kept)
	}
	p.do(chromedp.Reload())
	p.await("and kept in the tab", `document.body?.dataset.state === "live"`)
	p.isQuiet(true) // of the refusals
}

func explainsAnAccount(t *testing.T, b *browser) {
	h := pageHouse(t, 1)
	h.settle(20)
	p := b.open(t, h.url(), desktop)
	p.visit()
	p.await("accounts are listed", `document.querySelectorAll("#nearest tbody tr").length > 5`)
	p.do(chromedp.Click(`#nearest tbody tr:nth-child(2) button`))
	p.await("the tree is there", `document.querySelector("#detail [role=tree] [role=treeitem]")`)
	name := eval[string](p, `document.querySelector("#nearest tbody tr:nth-child(2) button").title`)
	var explained struct {
		Trees []struct {
			Name, Value string
			Inputs      []json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(h.get("/v1/accounts/"+name+"/explain")), &explained); err != nil {
		t.Fatal(err)
	}
	top := explained.Trees[0]
	if got := p.text("#detail [role=treeitem]"); !strings.Contains(got, strings.ReplaceAll(top.Name, "_", " ")+top.Value) {
		t.Errorf("the tree of %s begins with %q, want %s of %s", name, got, top.Name, top.Value)
	}
	if got := eval[int](p, `document.querySelectorAll("#detail [role=tree] > * > [role=treeitem]").length`); got != len(explained.Trees) {
		t.Errorf("%d trees, want %d", got, len(explained.Trees))
	}
	focused := func() string { return eval[string](p, `document.activeElement.textContent`) }
	p.do(chromedp.Click(`#detail [role=treeitem]`)) // shuts the first
	if eval[string](p, `document.querySelector("#detail [role=treeitem]").getAttribute("aria-expanded")`) != "false" {
		t.Error("a click does not shut a branch")
	}
	first := focused()
	p.press(kb.ArrowRight, kb.ArrowRight) // opens, then goes in
	if second := focused(); second == first || eval[string](p, `document.activeElement.getAttribute("aria-level")`) != "2" {
		t.Errorf("the arrow goes from %q to %q, want a level deeper", first, second)
	}
	p.press("*") // opens all beside it
	p.press(kb.End)
	last := focused()
	p.press(kb.Home, kb.ArrowLeft)
	if focused() != first || last == first || eval[string](p, `document.activeElement.getAttribute("aria-expanded")`) != "false" {
		t.Errorf("home goes to %q, want %q, shut", focused(), first)
	}
	// everything opened, every term of the answer is there once
	p.await("all is opened", `(() => { let shut; do { shut = [...document.querySelectorAll('#detail [aria-expanded="false"]')]; shut.forEach((r) => r.click()); } while (shut.length); return true; })()`)
	if got, want := eval[int](p, `document.querySelectorAll("#detail [role=treeitem]").length`), strings.Count(h.get("/v1/accounts/"+name+"/explain"), `"rounding":`); got != want {
		t.Errorf("%d terms are shown, want %d", got, want)
	}
	if eval[int](p, `document.querySelectorAll("#detail [role=tree] [tabindex='0']").length`) != 1 {
		t.Error("the tree must be one stop of the tabulator")
	}
	p.isQuiet(false)
}

func answersWhatIf(t *testing.T, b *browser) {
	h := pageHouse(t, 2)
	h.settle(60)
	p := b.open(t, h.url(), desktop)
	p.visit()
	p.full2()
	p.do(chromedp.Focus("#whatif-move"))
	for range 40 { // half a percent each
		p.press(kb.ArrowLeft)
	}
	p.await("the answer is there", `document.querySelector("#whatif-crossing") && document.querySelector("#whatif-result").getAttribute("aria-busy") === "false"`)
	if got := p.text(".move"); got != "−20.0 %" {
		t.Errorf("the move is %q", got)
	}
	type answer struct {
		Crossing, Recovering struct{ Accounts int }
		After                struct{ Health map[string]int }
	}
	want := func(query string) (w answer) {
		if err := json.Unmarshal([]byte(h.get("/v1/whatif?"+query)), &w); err != nil {
			t.Fatal(err)
		}
		return w
	}
	all := want("move=-0.2")
	if all.Crossing.Accounts == 0 || p.text("#whatif-crossing") != strconv.Itoa(all.Crossing.Accounts) || p.text("#whatif-recovering") != strconv.Itoa(all.Recovering.Accounts) {
		t.Errorf("%s would cross, %s recover, want %+v", p.text("#whatif-crossing"), p.text("#whatif-recovering"), all)
	}
	if got := eval[string](p, `document.querySelector(".compare tbody tr:nth-child(5)").cells[2].textContent`); got != strconv.Itoa(all.After.Health["backstop"]) {
		t.Errorf("%s stand at the backstop, want %d", got, all.After.Health["backstop"])
	}
	p.keep("whatif")
	p.do(chromedp.SetValue("#whatif-market", "HYPE"))
	eval[bool](p, `document.querySelector("#whatif-market").dispatchEvent(new Event("change"))`)
	p.await("its answer is there", `document.querySelector("#whatif-result").getAttribute("aria-busy") === "false" && document.querySelector("#whatif-result").textContent.includes("HYPE -20.0 %")`)
	if one := want("move=-0.2&market=HYPE"); p.text("#whatif-crossing") != strconv.Itoa(one.Crossing.Accounts) {
		t.Errorf("%s would cross by HYPE alone, want %d", p.text("#whatif-crossing"), one.Crossing.Accounts)
	}
	p.isQuiet(false)
}

// full2 is full for a house in which nothing moves.
func (p *tab) full2() {
	p.t.Helper()
	p.await("every panel is filled", `document.querySelector("#latency tbody tr") && document.querySelector("#nearest tbody tr") &&
		document.querySelector("#pools tbody tr") && document.querySelector(".cells canvas") &&
		document.querySelectorAll("#whatif-market option").length > 1`)
}

// stops presses the tabulator through the page and returns what has the focus, by name, and
// what cannot be seen to have it.
func (p *tab) stops() (names, unseen []string) {
	p.t.Helper()
	eval[bool](p, `(document.activeElement?.blur(), scrollTo(0, 0), true)`)
	for range 120 {
		p.press(kb.Tab)
		at := eval[string](p, `(() => {
			const e = document.activeElement;
			if (!e || e === document.body) return "";
			const s = getComputedStyle(e), next = e.nextElementSibling && getComputedStyle(e.nextElementSibling), row = e.firstElementChild && getComputedStyle(e.firstElementChild);
			const isSeen = [s, next, row].some((x) => x && x.outlineStyle !== "none" && parseFloat(x.outlineWidth) >= 2);
			const name = e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent.trim().slice(0, 40);
			return (isSeen ? "+" : "-") + (e.id || e.getAttribute("role") || e.tagName) + " " + name;
		})()`)
		if at == "" {
			break
		}
		if at[0] == '-' {
			unseen = append(unseen, at[1:])
		}
		if names = append(names, at[1:]); len(names) > 2 && at[1:] == names[0] {
			break
		}
	}
	return names, unseen
}

func isUsedByKeyboardAlone(t *testing.T, b *browser) {
	h := pageHouse(t, 1)
	h.settle(6)
	p := b.open(t, h.url(), desktop)
	p.visit()
	p.full2()
	names, unseen := p.stops()
	if len(unseen) > 0 {
		t.Errorf("these do not show that they have the focus: %q", unseen)
	}
	for _, want := range []string{"Skip to the figures", "theme", "Distance to liquidation", "whatif-market", "whatif-move", "Explain", "events-filter", "events-pause", "Contract", "Accounts"} {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, want) }) {
			t.Errorf("the tabulator never comes to %s: %q", want, names)
		}
	}
	p.do(chromedp.Focus("#nearest tbody button"))
	p.press(kb.ArrowDown, kb.Enter)
	p.await("an account is explained", `document.querySelector("#detail [role=tree]") && document.activeElement.id === "h-detail"`)
	p.press(kb.Tab, kb.Tab)
	if role := eval[string](p, `document.activeElement.getAttribute("role") ?? document.activeElement.id`); role != "treeitem" {
		t.Errorf("from its heading the second stop is %q, want the tree", role)
	}
	p.do(chromedp.Focus(".map-cursor"))
	before := p.text(".readout")
	p.press(kb.End)
	p.await("the cursor of the map moves", fmt.Sprintf(`document.querySelector(".readout").textContent !== %q && document.querySelector(".map-cursor").getAttribute("aria-valuetext").startsWith("Without a requirement")`, before))
	p.do(chromedp.Focus("#heat-measure input"))
	p.press(kb.ArrowRight)
	if !eval[bool](p, `document.querySelector("#heat-measure input[value=notional]").checked`) {
		t.Error("the arrow does not choose what the map counts")
	}
	p.do(chromedp.Focus("#events-pause"))
	p.press(" ")
	if eval[string](p, `document.querySelector("#events-pause").getAttribute("aria-pressed")`) != "true" {
		t.Error("space does not hold the events")
	}
	p.isQuiet(false)
}

func fitsAPhone(t *testing.T, b *browser) {
	h := pageHouse(t, 2)
	h.settle(15)
	h.walk()
	p := b.open(t, h.url(), phone)
	p.visit()
	p.full()
	p.do(chromedp.Click("#nearest tbody button"))
	p.await("an account is explained", `document.querySelector("#detail [role=tree]")`)
	p.await("all is opened", `(() => { let shut; do { shut = [...document.querySelectorAll('#detail [aria-expanded="false"]')]; shut.forEach((r) => r.click()); } while (shut.length); return true; })()`)
	p.shock(-20)
	p.await("the answer is there", `document.querySelector("#whatif-crossing")`)
	for _, width := range []int64{360, 412, 768, 1440} {
		p.size(width, 740)
		p.await("the page is laid out", fmt.Sprintf(`innerWidth === %d`, width))
		wide := eval[[]string](p, `[...document.querySelectorAll("body *")].filter((e) => !e.closest(".hidden, .skip, [hidden], dialog") && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.tagName + "." + e.className).slice(0, 5)`)
		if scroll := eval[int](p, `document.documentElement.scrollWidth`); scroll > int(width) || len(wide) > 0 {
			t.Errorf("at a width of %d the page is %d wide; %q stand out", width, scroll, wide)
		}
	}
	p.size(360, 740)
	p.keep("phone-dark")
	p.scheme("light")
	p.keep("phone-light")
	p.isQuiet(false)
}

func isDarkAndLight(t *testing.T, b *browser) {
	h := pageHouse(t, 1)
	h.settle(30)
	h.walk()
	p := b.open(t, h.url(), look{1440, 900, "light"})
	p.visit()
	p.full()
	const ground = `getComputedStyle(document.body).backgroundColor`
	light := eval[string](p, ground)
	p.keep("desktop-light")
	p.scheme("dark")
	dark := eval[string](p, ground)
	if light == dark || light != "rgb(238, 241, 245)" {
		t.Errorf("the ground is %s in light and %s in dark", light, dark)
	}
	p.do(chromedp.Focus("#theme"))
	p.press(kb.Enter, kb.Enter) // dark, then light
	if got := eval[string](p, ground); got != light || p.text("#theme") != "Theme: light" {
		t.Errorf("the switch says %q and gives %s, want light", p.text("#theme"), got)
	}
	p.do(chromedp.Reload())
	p.await("the choice is kept", `document.documentElement.dataset.theme === "light"`)
	p.isQuiet(false)
}

// namesEveryControl reads the tree that a screen reader reads.
func namesEveryControl(t *testing.T, b *browser) {
	h := pageHouse(t, 2)
	h.settle(12)
	h.walk()
	p := b.open(t, h.url(), desktop)
	p.visit()
	p.full()
	p.do(chromedp.Click("#nearest tbody button"))
	p.await("an account is explained", `document.querySelector("#detail [role=tree]")`)
	p.shock(-20)
	p.await("the answer is there", `document.querySelector("#whatif-crossing")`)
	call(p, accessibility.Enable, struct{}{})
	nodes := call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	controls := map[string]int{}
	var dump strings.Builder
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `"`)
	}
	for _, n := range nodes {
		role, name := text(n.Role), text(n.Name)
		if n.Ignored || role == "none" || role == "generic" || role == "InlineTextBox" || role == "StaticText" {
			continue
		}
		fmt.Fprintf(&dump, "%s %q %s\n", role, name, text(n.Value))
		isControl := slices.Contains([]string{
			"button", "link", "slider", "combobox", "radio", "textbox", "treeitem", "tree", "meter", "image", "img", "region", "table",
			"log", "heading", "columnheader", "rowheader", "dialog", "menuListPopup",
		}, role)
		if isControl && role != "menuListPopup" {
			if controls[role]++; name == "" {
				t.Errorf("a %s has no name", role)
			}
		}
	}
	for _, role := range []string{"button", "link", "slider", "combobox", "radio", "treeitem", "tree", "meter", "region", "table", "heading", "log"} {
		if controls[role] == 0 {
			t.Errorf("the tree has no %s: %v", role, controls)
		}
	}
	if err := os.WriteFile(b.artefacts+"/dashboard-tree.txt", []byte(dump.String()), 0o644); err != nil {
		t.Error(err)
	}
	p.isQuiet(false)
}

// contrastScript finds text whose contrast with what is behind it is below 4.5, or 3 where it
// is large, as WCAG 2.2 computes it (1.4.3).
const contrastScript = `(() => {
	const part = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
	const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
	const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
	const behind = (e) => { const chain = []; for (let at = e; at; at = at.parentElement) chain.unshift(parse(getComputedStyle(at).backgroundColor)); return chain.reduce((u, c) => over(c, u), [255, 255, 255]); };
	const faults = [];
	let seen = 0;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = walker.nextNode(); n; n = walker.nextNode()) {
		const e = n.parentElement;
		if (!n.textContent.trim() || e.closest("script, noscript, .hidden, option, dialog:not([open])") || !e.checkVisibility({ checkVisibilityCSS: true })) continue;
		const s = getComputedStyle(e);
		const ground = behind(e);
		const [a, b] = [light(over(parse(s.color), ground)), light(ground)].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		const size = parseFloat(s.fontSize);
		const need = size >= 24 || (size >= 18.66 && s.fontWeight >= 700) ? 3 : 4.5;
		seen++;
		if (ratio < need) faults.push(e.tagName + "." + e.className + " " + n.textContent.trim().slice(0, 30) + " " + ratio.toFixed(2));
	}
	return seen < 100 ? ["only " + seen + " texts were found"] : [...new Set(faults)].slice(0, 12);
})()`

func canBeRead(t *testing.T, b *browser) {
	h := pageHouse(t, 2)
	h.settle(40)
	h.walk()
	p := b.open(t, h.url(), desktop)
	p.visit()
	p.full()
	p.do(chromedp.Click("#nearest tbody button"))
	p.await("an account is explained", `document.querySelector("#detail [role=tree]")`)
	p.shock(-20)
	p.await("the answer is there", `document.querySelector("#whatif-result").getAttribute("aria-busy") === "false"`)
	for _, scheme := range []string{"dark", "light"} {
		p.scheme(scheme)
		if faults := eval[[]string](p, contrastScript); len(faults) > 0 {
			t.Errorf("%s: too little contrast: %s", scheme, strings.Join(faults, "; "))
		}
	}
}

// axePath is where the npm packages of internal/clienttest are put.
const axePath = "../clienttest/node_modules/axe-core/axe.min.js"

func passesAxe(t *testing.T, b *browser) {
	script, err := os.ReadFile(axePath)
	if err != nil {
		t.Skipf("axe-core is not there (%v): npm ci in internal/clienttest installs it", err)
	}
	h := pageHouse(t, 2)
	h.settle(8)
	h.walk()
	p := b.open(t, h.url(), desktop)
	p.visit()
	p.full()
	p.do(chromedp.Click("#nearest tbody button"))
	p.await("an account is explained", `document.querySelector("#detail [role=tree]")`)
	p.shock(-20)
	p.await("the answer is there", `document.querySelector("#whatif-result").getAttribute("aria-busy") === "false"`)
	eval[bool](p, string(script)+";true")
	for scheme, rules := range map[string]string{"dark": "", "light": `runOnly: ["color-contrast"], `} {
		p.scheme(scheme)
		eval[bool](p, `(window.found = null, axe.run(document, { `+rules+`resultTypes: ["violations"] }).then((r) => { window.found = r.violations.map((v) => v.id + ": " + v.help + " " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(" | ")); }, (e) => { window.found = [String(e)]; }), true)`)
		p.await("axe is done", "window.found !== null")
		for _, fault := range eval[[]string](p, "window.found") {
			t.Errorf("%s: %s", scheme, fault)
		}
	}
}
