/*
 * A drawing is how far long work is: on a terminal a bar and a text, drawn over what was
 * there before; elsewhere a line whenever the text has changed, one a second at most; for
 * programs (--json) an object instead of that line, on standard output.
 */
#ifndef GATEWAYD_CTL_DRAW_H
#define GATEWAYD_CTL_DRAW_H

#include <stddef.h>
#include <stdint.h>

#define DRAW_TEXT	320		/* bytes */
#define DRAW_LOOK_MS	200		/* from look to look */

struct invocation;
struct json_t;

/* What is drawn. */
struct sight {
	double		 part;		/* of all that is done: 0 to 1 */
	const char	*phase;		/* a change is said at once */
	const char	*text;		/* said when it has changed */
	const char	*tail;		/* passes by itself: said only with them */
	const struct json_t *moves;	/* what programs are told; or NULL */
	int		 end;		/* it is over */
};

struct drawing {
	const struct invocation *by;
	const char	*on;		/* what goes on when nobody waits */
	int		 terminal;
	size_t		 down;		/* rows below the first that are drawn */
	uint64_t	 said;		/* clock_ms */
	char		 phase[64], text[DRAW_TEXT];	/* said then */
};

/* Begin, on standard error.  From now on signals that would end the process are kept for
 * draw_wait().  v and on, a sentence, are borrowed. */
void	 draw_begin(struct drawing *d, const struct invocation *v, const char *on);
/* So far.  Programs are not told of the end: that is say_last()'s. */
void	 draw(struct drawing *d, const struct sight *s);
/* What programs are told of moves m, which may be NULL, into the object `into`. */
void	 draw_facts(struct json_t *into, const struct json_t *m);
/* What is moved, skipped, failed and left, and the pauses, in words; static. */
const char *draw_moves(const struct json_t *m);
/* Until the next look.  After a signal it is said that nobody waits any more, and what
 * goes on; and the process ends by that signal. */
void	 draw_wait(struct drawing *d);

#endif
