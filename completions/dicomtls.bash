_dicomtls_completion() {
    local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} begun
    COMPREPLY=( $( _TYPER_COMPLETE_ARGS="$line" _DICOMTLS_COMPLETE=complete_bash "$1" ) )
    # To readline what follows a colon is a word of its own.
    begun=${line##*[[:space:]]}
    if [[ $begun == *:* && $COMP_WORDBREAKS == *:* ]]; then
        begun=${begun%"${begun##*:}"}
        COMPREPLY=( "${COMPREPLY[@]#"$begun"}" )
    fi
}

complete -o default -F _dicomtls_completion dicomtls
