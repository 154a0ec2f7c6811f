/* How far long work is, for people who wait for it. */
#include <sys/ioctl.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "gatewayd/ctl/draw.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/verb.h"

#define DRAW_SAY_MS	1000		/* from line to line, not on a terminal */
#define DRAW_BAR	30		/* columns */
#define DRAW_BAR_MIN	10
#define DRAW_COLUMNS	80		/* where nobody knows */

static volatile sig_atomic_t	 draw_signal;

static void
draw_signal_cb(int signo)
{
	draw_signal = signo;
}

void
draw_begin(struct drawing *d, const struct invocation *v, const char *on)
{
	static const int	 signals[] = { SIGINT, SIGTERM, SIGHUP };
	const char		*term = getenv("TERM");
	struct sigaction	 sa = { .sa_handler = draw_signal_cb }, was;

	memset(d, 0, sizeof(*d));
	d->by = v;
	d->on = on;
	d->terminal = isatty(STDERR_FILENO) && term != NULL && *term != '\0' &&
	    strcmp(term, "dumb") != 0;
	/* What is ignored (nohup) stays so. */
	for (size_t i = 0; i < nitems(signals); i++)
		if (sigaction(signals[i], NULL, &was) == 0 &&
		    was.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
}

/* Columns of the terminal that may be written to. */
static size_t
draw_columns(void)
{
	struct winsize	 w;

	/* The last column is left: some terminals go to the next row after it. */
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1)
		return ((size_t)w.ws_col - 1);
	return (DRAW_COLUMNS - 1);
}

/* How much of text is a row of so many columns: to its last blank. */
static size_t
draw_row(const char *text, size_t columns)
{
	size_t	 n = strlen(text);

	if (n <= columns)
		return (n);
	for (n = columns; n > 0 && text[n] != ' '; n--)
		;
	return (n == 0 ? columns : n);
}

/* Over what is there: the bar, in a row of its own if the text is too long for one. */
static void
draw_terminal(struct drawing *d, double part, const char *text)
{
	size_t	 columns = draw_columns(), bar = DRAW_BAR, full, n, down = 0;
	int	 first;

	if (d->down > 0)
		fprintf(stderr, "\033[%zuA", d->down);
	fputs("\r", stderr);
	if (bar + 2 > columns)
		bar = columns < DRAW_BAR_MIN + 2 ? 0 : columns - 2;
	full = (size_t)((double)bar * part);
	first = bar == 0;
	if (bar > 0)
		fprintf(stderr, "[%.*s%.*s]\033[K", (int)full,
		    "##############################", (int)(bar - full),
		    "..............................");
	if (bar + 3 + strlen(text) <= columns)
		fprintf(stderr, " %s", text);
	else for (; *text != '\0'; text += n + (text[n] == ' ')) {
		n = draw_row(text, columns);
		if (!first)
			putc('\n', stderr);
		down += !first;
		first = 0;
		fprintf(stderr, "%.*s\033[K", (int)n, text);
	}
	fputs("\033[J", stderr);
	d->down = down;
}

/* Is it to be said, where each line stays?  Then it is known as said. */
static int
draw_news(struct drawing *d, const struct sight *s)
{
	uint64_t	 now = clock_ms();
	int		 other = strcmp(d->phase, s->phase) != 0;

	if ((!other && strcmp(d->text, s->text) == 0) || (!other && !s->end &&
	    d->said != 0 && now - d->said < DRAW_SAY_MS))
		return (0);
	d->said = now;
	snprintf(d->phase, sizeof(d->phase), "%s", s->phase);
	snprintf(d->text, sizeof(d->text), "%s", s->text);
	return (1);
}

/* A line for programs. */
static void
draw_line(const struct drawing *d, const struct sight *s)
{
	json_t	*line = json_pack("{s:s, s:s}", "what", d->by->verb, "phase",
		    s->phase);
	int	 rc, error;

	draw_facts(line, s->moves);
	rc = say_line(line);
	error = errno;
	json_decref(line);
	if (rc == -1)
		say_die(EXIT_NONE, "cannot write: %s; %s", strerror(error),
		    d->on);
}

void
draw(struct drawing *d, const struct sight *s)
{
	char	 all[2 * DRAW_TEXT];

	if (d->by->json) {
		if (!s->end && draw_news(d, s))
			draw_line(d, s);
		return;
	}
	snprintf(all, sizeof(all), "%s: %s%s", s->phase, s->text, s->tail);
	if (d->terminal)
		draw_terminal(d, s->part < 0 ? 0 : s->part > 1 ? 1 : s->part,
		    all);
	else if (draw_news(d, s))
		fprintf(stderr, "%s\n", all);
	if (s->end && d->terminal)
		putc('\n', stderr);
}

void
draw_facts(json_t *into, const json_t *m)
{
	static const char *const	 keys[] = { "moved", "skipped", "failed",
					    "left", "waiting", "left_ms", "hold_ms",
					    "pause_us" };

	for (size_t i = 0; i < nitems(keys); i++)
		if (json_object_get(m, keys[i]) != NULL)
			json_object_set(into, keys[i], json_object_get(m,
			    keys[i]));
}

/* A number of m. */
static json_int_t
draw_number(const json_t *m, const char *key)
{
	return (json_integer_value(json_object_get(m, key)));
}

const char *
draw_moves(const json_t *m)
{
	static char	 text[DRAW_TEXT];
	const json_t	*p = json_object_get(m, "pause_us");
	json_int_t	 left = draw_number(m, "left"), n;
	char		 time[48] = "", waits[48] = "";

	if ((n = draw_number(m, "waiting")) > 0)
		snprintf(waits, sizeof(waits), ", %" JSON_INTEGER_FORMAT
		    " wait for room", n);
	if (left > 0)
		snprintf(time, sizeof(time), " (%" JSON_INTEGER_FORMAT " s)",
		    (draw_number(m, "left_ms") + 999) / 1000);
	n = draw_number(m, "moved");
	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT " moved, %"
	    JSON_INTEGER_FORMAT " skipped, %" JSON_INTEGER_FORMAT " failed, %"
	    JSON_INTEGER_FORMAT " left%s%s", n, draw_number(m, "skipped"),
	    draw_number(m, "failed"), left, time, waits);
	if (n > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "; pause p50 %.1f ms, p99 %.1f ms, max %.1f ms",
		    (double)draw_number(p, "p50") / 1000,
		    (double)draw_number(p, "p99") / 1000,
		    (double)draw_number(p, "max") / 1000);
	return (text);
}

void
draw_wait(struct drawing *d)
{
	struct sigaction	 sa = { .sa_handler = SIG_DFL };
	json_t			*last;
	int			 signo;

	if (draw_signal == 0)
		usleep(DRAW_LOOK_MS * 1000);
	if ((signo = draw_signal) == 0)
		return;
	fprintf(stderr, "%skennelctl: nobody waits for it any more: %s\n",
	    d->terminal && !d->by->json ? "\n" : "", d->on);
	if (d->by->json) {
		last = json_pack("{s:s}", "interrupted", d->on);
		say_last(last, 128 + signo);
		json_decref(last);
	}
	sigaction(signo, &sa, NULL);
	raise(signo);
	_exit(128 + signo);
}
