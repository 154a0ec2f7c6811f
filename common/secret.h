/*
 * A secret in the environment or the arguments of this process, where other
 * users may look (ps, /proc/PID/environ): taken once, and wiped where it stood.  And
 * one in a file.
 */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stddef.h>

/*
 * The value of this variable, which is wiped and no longer there afterwards, for
 * children neither.  The caller frees the value.  NULL: there is none, or the value is
 * empty (errno 0), or ENOMEM.
 */
char	*secret_take(const char *name);
/* Put all that were taken back into the environment, for a program that is executed
 * now; and out of it again. */
void	 secret_return(void);
void	 secret_forget(void);
/*
 * url (also "--flag=url") with "***" for what stands before its last '@', into
 * dst: for people.  What begins with "unix:" has none.
 */
char	*secret_shown(char *dst, size_t size, const char *url);
/* The same in place, for an argument; what is left of url is wiped. */
void	 secret_hide(char *url);

#define SECRET_FILE_MAX	4096	/* bytes */

/*
 * What a file has in it, which is one line, without its end.  The caller wipes and
 * frees it.  NULL with *why: what is wrong with the file.
 */
char	*secret_read(const char *path, const char **why);

#endif
