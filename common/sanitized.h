/*
 * Is this a build with a sanitizer that looks at its own process from another
 * (the leak sanitizer)?  What keeps other processes out is left out there.
 */
#ifndef COMMON_SANITIZED_H
#define COMMON_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED	1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED	0
#endif

#endif
