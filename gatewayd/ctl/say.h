/* What kennelctl says at its end. */
#ifndef GATEWAYD_CTL_SAY_H
#define GATEWAYD_CTL_SAY_H

struct json_t;

/* Exit statuses beside 0. */
#define EXIT_NONE	1		/* nobody answers; refused; not as it should be */
#define EXIT_USAGE	2
#define EXIT_NOTHING	3		/* nobody and nothing of that name */

void	 say_die(int status, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3), noreturn));
/* The answer for programs; it stays the caller's. */
void	 say_json(const struct json_t *answer);
/* All was written: 0, else it dies. */
int	 say_end(void);

/*
 * What takes long is told to programs in lines of an object each, and the last one, also that
 * of say_die() from now on, has "what", the verb, and "exit", the exit status.  verb: borrowed.
 */
void	 say_begin_lines(const char *verb);
/* A line that is not the last one; it stays the caller's.  0, or -1 with errno: nobody can
 * read it. */
int	 say_line(const struct json_t *line);
/* The last one: answer, which stays the caller's, gets both members.  Of verbs that are not
 * told in lines it is the answer, as it is. */
void	 say_last(struct json_t *answer, int status);

#endif
