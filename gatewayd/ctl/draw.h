/*
 * A drawing is how far long work is: on a terminal a bar and a text, drawn over what was
 * there before; elsewhere a line whenever the text has changed, one a second at most.
 */
#ifndef GATEWAYD_CTL_DRAW_H
#define GATEWAYD_CTL_DRAW_H

#include <stddef.h>
#include <stdint.h>

#define DRAW_TEXT	320		/* bytes */
#define DRAW_LOOK_MS	200		/* from look to look */

struct json_t;

struct drawing {
	int		 quiet;		/* nothing is drawn */
	int		 terminal;
	size_t		 down;		/* rows below the first that are drawn */
	uint64_t	 said;		/* clock_ms */
	char		 phase[64], text[DRAW_TEXT];	/* said then */
};

/* Begin, on standard error.  From now on signals that would end the process are kept for
 * draw_interrupted(). */
void	 draw_begin(struct drawing *d, int quiet);
/*
 * So far: part of all is done.  phase, whose change is said at once, and text are said
 * when they have changed; tail, what passes by itself, only with them.  end: it is over.
 */
void	 draw(struct drawing *d, double part, const char *phase,
	    const char *text, const char *tail, int end);
/* What is moved, skipped, failed and left, and the pauses, in words; static. */
const char *draw_moves(const struct json_t *m);
/* Until the next look.  After a signal it is said that nobody waits any more, and what
 * goes on: text; and the process ends by that signal. */
void	 draw_wait(struct drawing *d, const char *text);

#endif
