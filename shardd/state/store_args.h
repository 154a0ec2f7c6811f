/* The arguments of a command of the store. */
#ifndef SHARDD_STORE_ARGS_H
#define SHARDD_STORE_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/*
 * The arguments of a command; those in text are found when all are there.  It is
 * sent before the next one begins, so that there is one, and its memory is kept.
 */
struct store_args {
	const char	**at;
	size_t		*len;
	size_t		 n, cap;
	struct buf	 text;
	int		 failed;
};

/* Free the memory of the arguments. */
void	 store_args_clear(struct store_args *a);
/* One argument more, which is borrowed. */
void	 store_arg(struct store_args *a, struct slice s);
/* The same of a number, which is written to text. */
void	 store_arg_u64(struct store_args *a, uint64_t v, char text[24]);

#endif
