/*
 * A PKCS#11 module that is another module with a slow C_Sign: a TPM's time for a signature without its noise.
 *
 * SLOW_SIGNER_MODULE    the module that does the work
 * SLOW_SIGNER_MILLIS    how long each signature takes longer
 *
 * The first signature after it was loaded is a fast one: gatepost proves its key with it, and a test wants to see what
 * happens while a program or AWS waits for the next.
 *
 * Only what is needed of PKCS#11 2.40 is declared here. CK_FUNCTION_LIST is a version and 68 functions in the order of
 * its section 5, naturally aligned on Unix; a copy of it with one other pointer is a module of its own.
 */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef unsigned long rv_t; /* CK_RV, CK_ULONG and CK_SESSION_HANDLE */
typedef void (*function_t)(void);
typedef rv_t (*sign_t)(rv_t session, unsigned char *data, rv_t length, unsigned char *signature, rv_t *signature_length);

enum { FUNCTIONS = 68, C_SIGN = 43, CKR_GENERAL_ERROR = 5 };

struct function_list {
    unsigned char version[2];
    function_t functions[FUNCTIONS];
};

static struct function_list slow;
static sign_t fast_sign;
static struct timespec delay;
static unsigned long made;

static rv_t slow_sign(rv_t session, unsigned char *data, rv_t length, unsigned char *signature, rv_t *signature_length)
{
    /* Without a buffer it is only asked how long the signature will be. */
    if (signature != NULL && made++ > 0)
        nanosleep(&delay, NULL);
    return fast_sign(session, data, length, signature, signature_length);
}

static rv_t load(void)
{
    const char *path = getenv("SLOW_SIGNER_MODULE");
    const char *millis = getenv("SLOW_SIGNER_MILLIS");
    void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    rv_t (*get_function_list)(struct function_list **);
    struct function_list *fast;

    if (module == NULL || millis == NULL) {
        fprintf(stderr, "slow_signer: %s\n", module == NULL && path != NULL ? dlerror() : "its variables are not set");
        return CKR_GENERAL_ERROR;
    }
    /* How POSIX wants the object pointer of dlsym made a function pointer. */
    *(void **)&get_function_list = dlsym(module, "C_GetFunctionList");
    if (get_function_list == NULL || get_function_list(&fast) != 0)
        return CKR_GENERAL_ERROR;
    slow = *fast;
    fast_sign = (sign_t)fast->functions[C_SIGN];
    slow.functions[C_SIGN] = (function_t)slow_sign;
    delay.tv_sec = atol(millis) / 1000;
    delay.tv_nsec = atol(millis) % 1000 * 1000000;
    return 0;
}

rv_t C_GetFunctionList(struct function_list **list)
{
    if (fast_sign == NULL) {
        rv_t failure = load();
        if (failure != 0)
            return failure;
    }
    *list = &slow;
    return 0;
}
