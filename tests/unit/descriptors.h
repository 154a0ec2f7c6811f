/* The descriptors of a test's process. */
#ifndef TESTS_DESCRIPTORS_H
#define TESTS_DESCRIPTORS_H

#include <check.h>
#include <dirent.h>
#include <stddef.h>

/* How many are open, as /proc counts them: only a difference means anything. */
static size_t
open_descriptors(void)
{
	DIR	*d = opendir("/proc/self/fd");
	size_t	 n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return (n);
}

#endif
