_dicomtls_completion() {
    local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} begun breaks=${COMP_WORDBREAKS//[^:=]/}
    COMPREPLY=( $( _DICOMTLS_COMPLETE_LINE="$line" _DICOMTLS_COMPLETE=complete_bash "$1" 2>/dev/null ) )
    # To readline what follows a colon or an equals sign is a word of its own.
    begun=${line##*[[:space:]]}
    if [[ -n $breaks && $begun == *[$breaks]* ]]; then
        begun=${begun%"${begun##*[$breaks]}"}
        COMPREPLY=( "${COMPREPLY[@]#"$begun"}" )
    fi
}

complete -o default -F _dicomtls_completion dicomtls
