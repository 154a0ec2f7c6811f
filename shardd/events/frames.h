/* What clients say: each frame is a row. */
#ifndef EVENTS_FRAMES_H
#define EVENTS_FRAMES_H

#include <sys/types.h>

struct events_socket;

/* s has sent these bytes: the first frame of them is acted upon.  Returns how many bytes
 * are through, or -1: s broke the rules. */
ssize_t	 frames_input(struct events_socket *s, const char *data, size_t len);

#endif
