/* A line of pointers that wait for their turn: first come, first served. */
#ifndef COMMON_LINE_H
#define COMMON_LINE_H

#include <stddef.h>

struct line {			/* zeroed: nobody */
	void	**at;		/* a ring; NULL: one that has left */
	size_t	  head, n, cap;
};

int	 line_push(struct line *l, void *who);	/* 0, or -1: ENOMEM */
void	*line_pop(struct line *l);		/* NULL: nobody is left */
void	 line_leave(struct line *l, const void *who);
void	 line_clear(struct line *l);

#endif
